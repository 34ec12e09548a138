//! `cargo xtask build-sbf`: the contract as the chain runs it, from packages that every registry mirror has.
//!
//! An unforked rustc and LLVM compile the program for eBPF and `sbpf-linker` makes the shared object that a validator
//! loads. The result is committed under `programs/chartseal/artifacts`, so nobody needs this toolchain to try or to
//! test the project, and `--check` proves that the committed file is what the source gives: the same source and the
//! same toolchain give the same bytes, wherever the checkout, cargo's home and the build folder are.

mod alias;
mod artifacts;
pub(crate) mod compile;
mod idl;
pub(crate) mod link;
pub(crate) mod toolchain;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use serde_json::json;

#[cfg(test)]
pub(crate) use alias::rust_files;
pub(crate) use artifacts::{replace, sha256};

use crate::process;
use crate::report::{Report, progress};
use crate::workspace::Workspace;
use artifacts::{Artifacts, Record, Verdict};
use toolchain::Toolchain;

/// Cargo's name of the contract's package.
pub(crate) const PACKAGE: &str = "chartseal-program";

/// Compiles the contract and replaces the committed artifacts.
///
/// # Errors
/// When the toolchain is missing, the contract does not compile, or a file cannot be written.
pub(crate) fn build(workspace: &Workspace, report: &Report) -> Result<ExitCode> {
    let toolchain = Toolchain::find()?;
    let fresh = make(workspace, &toolchain, report)?;
    fresh.write(workspace)?;
    report.result(
        "write",
        true,
        &format!("written to {}", artifacts::folder(workspace).display()),
        json!({ "folder": artifacts::folder(workspace) }),
    );
    Ok(ExitCode::SUCCESS)
}

/// What is compared with the committed artifacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// Program and IDL.
    All,
    /// The program only: the IDL needs the contract and its tests compiled for this machine too.
    Program,
}

/// Compiles the contract beside the committed artifacts and compares.
///
/// # Errors
/// When something is missing or does not compile. That the artifacts differ is no error but a failing exit code.
pub(crate) fn check(workspace: &Workspace, what: Check, report: &Report) -> Result<ExitCode> {
    let toolchain = Toolchain::find()?;
    let committed = Artifacts::read(workspace)?;
    let (_, fresh) = make_program(workspace, &toolchain, report)?;
    let idl_is_same = match what {
        Check::Program => true,
        Check::All => check_idl(workspace, &committed.idl, report)?,
    };
    let verdict = Verdict::of(&committed.record, &fresh);
    let text = verdict.explain(&committed.record, &fresh);
    let figures = json!({
        "verdict": verdict, "committed": committed.record, "fresh": fresh,
    });
    report.result("check-contract", verdict != Verdict::Differs, &text, figures);
    if verdict == Verdict::OtherToolchain {
        progress("running the contract's tests on the fresh file, because its hash proves nothing here");
        let program = compile::program(workspace);
        process::run(
            workspace
                .cargo()
                .args(["test", "--package", PACKAGE])
                .env("CHARTSEAL_SO", &program)
                .stdout(std::io::stderr()),
        )?;
        report.result(
            "test-contract",
            true,
            "contract's tests: passed on the fresh file",
            json!({ "program": program }),
        );
    }
    let good = idl_is_same && verdict != Verdict::Differs;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes the IDL anew: whether it is the committed one.
fn check_idl(workspace: &Workspace, committed: &str, report: &Report) -> Result<bool> {
    let fresh = make_idl(workspace, report)?;
    let is_same = fresh == committed;
    let text = if is_same {
        "IDL: as committed".to_owned()
    } else {
        let fresh_idl = compile::folder(workspace).join(artifacts::IDL);
        replace(&fresh_idl, fresh.as_bytes())?;
        format!(
            "IDL: NOT as committed; compare with {}, or accept it with `cargo xtask build-sbf`",
            fresh_idl.display()
        )
    };
    report.result("check-idl", is_same, &text, json!({}));
    Ok(is_same)
}

/// Compiles program and IDL, and writes neither.
fn make(workspace: &Workspace, toolchain: &Toolchain, report: &Report) -> Result<Artifacts> {
    let (program, record) = make_program(workspace, toolchain, report)?;
    let idl = make_idl(workspace, report)?;
    Ok(Artifacts { program, idl, record })
}

/// The program, and what is to be recorded of it.
fn make_program(workspace: &Workspace, toolchain: &Toolchain, report: &Report) -> Result<(Vec<u8>, Record)> {
    progress(&format!("compiling the contract with {}", toolchain.versions));
    let started = Instant::now();
    let program = compile::run(workspace, toolchain)?;
    if !program.starts_with(b"\x7fELF") {
        bail!(
            "the linker left no program in {}: please report this",
            compile::program(workspace).display()
        );
    }
    let record = Record::new(&program, toolchain.versions.clone());
    let seconds = started.elapsed().as_secs();
    report.result(
        "compile",
        true,
        &format!(
            "{}: {} bytes, SHA-256 {}, {seconds} s",
            artifacts::PROGRAM,
            record.bytes,
            record.sha256
        ),
        json!({ "bytes": record.bytes, "sha256": record.sha256, "seconds": seconds }),
    );
    Ok((program, record))
}

/// The IDL as it is committed.
fn make_idl(workspace: &Workspace, report: &Report) -> Result<String> {
    progress("asking the contract for its IDL");
    let started = Instant::now();
    let printed = idl::print(workspace)?;
    let aliases = alias::read(&workspace.root.join("programs/chartseal/src"))?;
    let interface = idl::assemble(&printed, workspace.version_of(PACKAGE)?, aliases)?;
    let seconds = started.elapsed().as_secs();
    report.result(
        "idl",
        true,
        &format!("{}: {interface}, {seconds} s", artifacts::IDL),
        json!({ "address": interface.address(), "instructions": interface.count("instructions"),
                "events": interface.count("events"), "seconds": seconds }),
    );
    interface.to_json()
}
