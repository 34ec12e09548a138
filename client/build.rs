//! Has the list of migrations, which `chartseal doctor` compares with a database's, compiled in again when one is added.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../migrations");
}
