//! Lets unqualified names in queries mean our schema while sqlx's macros ask a database about them, as they do in every
//! connection of the indexer. So the migrations need not change the search path of a database, a role or anybody else.

fn main() {
    println!("cargo::rustc-env=PGOPTIONS=-c search_path=chartseal");
    println!("cargo::rerun-if-changed=build.rs");
    // A migration that was added is compiled in.
    println!("cargo::rerun-if-changed=../migrations");
}
