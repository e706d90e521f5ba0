//! Fetches what a command names into its sandbox. Follows `src/launcher/fetcher.cpp`: the same forms of URIs, the same
//! archives, told of by their names.

use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::local::backend::StartError;
use crate::proto::v1::command_info::Uri;

/// Fetches all, one after the other; what became of them is written into the sandbox's `stderr`.
///
/// Fails, naming the URI and why, at the first that cannot be had.
pub async fn fetch(uris: &[Uri], sandbox: &Path) -> Result<(), StartError> {
    for uri in uris {
        let told = fetch_one(uri, sandbox).await;
        let line = match &told {
            Ok(path) => format!("Fetched '{}' to '{}'\n", uri.value, path.display()),
            Err(why) => format!("Failed to fetch '{}': {why}\n", uri.value),
        };
        tell(sandbox, &line).await;
        told.map_err(|why| {
            StartError::new(format!("Failed to fetch all URIs for container: failed to fetch '{}': {why}", uri.value))
        })?;
    }
    Ok(())
}

async fn tell(sandbox: &Path, line: &str) {
    let file = tokio::fs::File::options().create(true).append(true).open(sandbox.join("stderr")).await;
    if let Ok(mut file) = file {
        // The sandbox is the user's; that it cannot be written is told by the launch.
        let _ = file.write_all(line.as_bytes()).await;
        let _ = file.flush().await;
    }
}

async fn fetch_one(uri: &Uri, sandbox: &Path) -> Result<PathBuf, StartError> {
    let target = sandbox.join(output(uri)?);
    if let Some(parent) = target.parent() {
        tokio::fs::create_dir_all(parent)
            .await
            .map_err(|e| StartError::new(format!("cannot make {}: {e}", parent.display())))?;
    }
    let value = uri.value.trim();
    match value.split_once("://") {
        Some(("http" | "https", _)) => download(value, &target).await?,
        Some(("file", path)) => copy(path.strip_prefix("localhost").unwrap_or(path), &target).await?,
        Some((scheme, _)) => {
            return Err(StartError::new(format!(
                "'{scheme}' cannot be fetched: expected file, http, https or an absolute path"
            )));
        }
        None => copy(value, &target).await?,
    }
    if uri.executable() {
        return make_executable(&target).await.map(|()| target);
    }
    if uri.extract.unwrap_or(true) {
        extract(&target, sandbox).await?;
    }
    Ok(target)
}

/// Where it goes: `output_file`, which stays in the sandbox, else the last part of the path.
fn output(uri: &Uri) -> Result<PathBuf, StartError> {
    if let Some(file) = uri.output_file.as_deref().filter(|file| !file.is_empty()) {
        let path = Path::new(file);
        let plain =
            |part: std::path::Component| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir);
        return if path.components().all(plain) {
            Ok(path.to_owned())
        } else {
            Err(StartError::new(format!("'output_file' has to stay in the sandbox, but is '{file}'")))
        };
    }
    let path = uri.value.trim().split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once("://").map_or(path, |(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
    let name = path.rsplit('/').next().filter(|name| !name.is_empty() && *name != "..");
    name.map(PathBuf::from).ok_or_else(|| StartError::new("it names no file"))
}

async fn copy(path: &str, target: &Path) -> Result<(), StartError> {
    if !path.starts_with('/') {
        return Err(StartError::new(format!("'{path}' is not an absolute path")));
    }
    let copied = tokio::fs::copy(path, target).await;
    copied.map(drop).map_err(|e| StartError::new(format!("cannot copy '{path}': {e}")))
}

async fn download(url: &str, target: &Path) -> Result<(), StartError> {
    let failed = |e: reqwest::Error| StartError::new(format!("cannot download it: {}", without_url(e)));
    let response = reqwest::get(url).await.map_err(failed)?;
    let status = response.status();
    if !status.is_success() {
        return Err(StartError::new(format!("the server answered {status}")));
    }
    let written = |e: std::io::Error| StartError::new(format!("cannot write {}: {e}", target.display()));
    let mut file = tokio::fs::File::create(target).await.map_err(written)?;
    let mut body = response.bytes_stream();
    while let Some(piece) = body.next().await {
        file.write_all(&piece.map_err(failed)?).await.map_err(written)?;
    }
    file.flush().await.map_err(written)
}

/// The error with its causes, and without the address, which is named beside it.
fn without_url(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

async fn make_executable(path: &Path) -> Result<(), StartError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(0o755);
    let made = tokio::fs::set_permissions(path, mode).await;
    made.map_err(|e| StartError::new(format!("cannot make {} executable: {e}", path.display())))
}

/// Unpacks an archive, which its name tells; other files stay as they are.
async fn extract(file: &Path, sandbox: &Path) -> Result<(), StartError> {
    const TAR: [&str; 7] = [".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz"];
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    let failed = |why: &dyn std::fmt::Display| StartError::new(format!("cannot extract '{name}': {why}"));
    if TAR.iter().any(|end| name.ends_with(end)) {
        let tar = Command::new("tar").arg("-C").arg(sandbox).arg("-xf").arg(file).output().await;
        let output = tar.map_err(|e| failed(&format!("tar cannot be run: {e}")))?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return if output.status.success() { Ok(()) } else { Err(failed(&said)) };
    }
    let (from, to) = (file.to_owned(), sandbox.to_owned());
    let unpacked = if name.ends_with(".zip") {
        tokio::task::spawn_blocking(move || unzip(&from, &to).map_err(std::io::Error::from)).await
    } else if let Some(stem) = name.strip_suffix(".gz") {
        let to = file.with_file_name(stem);
        tokio::task::spawn_blocking(move || gunzip(&from, &to)).await
    } else {
        return Ok(());
    };
    unpacked.map_err(|e| failed(&e))?.map_err(|e| failed(&e))
}

fn unzip(file: &Path, to: &Path) -> zip::result::ZipResult<()> {
    let open = std::fs::File::open(file)?;
    let mut archive = zip::ZipArchive::new(open)?;
    archive.extract(to)
}

fn gunzip(file: &Path, to: &Path) -> std::io::Result<()> {
    let mut packed = flate2::read::MultiGzDecoder::new(std::fs::File::open(file)?);
    let mut unpacked = std::fs::File::create(to)?;
    std::io::copy(&mut packed, &mut unpacked).map(drop)
}
