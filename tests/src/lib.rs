//! The whole system at work: the sandbox, the indexer and the CLI as the programs that people start, over real HTTP,
//! real files and real Postgres. The demo tells a [`story`] with them, the tests assert on it, and the soak programs
//! strain them for longer than a test may last.

pub mod bench;
pub mod chaos;
pub mod clinic;
pub mod cluster;
pub mod ending;
pub mod ground;
pub mod keyservice;
pub mod kills;
pub mod leaks;
pub mod memory;
pub mod money;
pub mod people;
pub mod programs;
pub mod proxy;
pub mod report;
pub mod rows;
pub mod stack;
pub mod story;
pub mod theft;
pub mod travel;
pub mod uploads;
