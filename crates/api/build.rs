//! Compiles proto/dray/v1 with a compiler written in Rust: no protoc has to be installed.

use std::{error::Error, path::Path};

const PACKAGE_DIR: &str = "dray/v1";

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new("../../proto");
    println!("cargo:rerun-if-changed={}", root.join("dray").display());

    let mut files = Vec::new();
    for entry in root.join(PACKAGE_DIR).read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path.strip_prefix(root)?.to_path_buf());
        }
    }
    // The order of a directory is nobody's promise, and it shows in the generated code.
    files.sort();

    let mut compiler = protox::Compiler::new([root])?;
    compiler.include_source_info(true).include_imports(true).open_files(&files)?;

    let out_dir = std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    std::fs::write(Path::new(&out_dir).join("dray.v1.bin"), compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure()
        // The transport is ours: a socket or a pipe, never a URL.
        .build_transport(false)
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
