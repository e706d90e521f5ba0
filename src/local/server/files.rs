//! `/files`: the sandboxes, read only. Follows `src/files/files.cpp`.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::Context;
use crate::local::refusal::Refusal;
use crate::proto::v1::{FileInfo, TimeInfo};

/// At most 16 pages of 4 KiB come at once.
const READ_MAX: u64 = 16 * 4096;
/// What a download holds of a file at once.
const PART_BYTES: usize = 64 * 1024;
/// In nanoseconds.
const SECOND: i64 = 1_000_000_000;

/// What a request names, as it came.
pub type Arguments = Query<std::collections::HashMap<String, String>>;

/// `/files/read?path=&offset=&length=` gives `{offset, data}`. An offset of -1, or past the end, gives the size as the
/// offset and no data; a length of -1 reads as much as possible.
pub async fn read(context: State<Context>, arguments: Arguments) -> Result<Json<Value>, Refusal> {
    let named = named(&arguments)?;
    let offset: i64 = number(&arguments, "offset", -1)?;
    let length = u64::try_from(number(&arguments, "length", -1_i64)?).ok();
    let offset = u64::try_from(offset).unwrap_or(u64::MAX);
    let (size, data) = part(&context.work_dir, named, offset, length).await?;
    Ok(Json(json!({ "offset": offset.min(size), "data": String::from_utf8_lossy(&data) })))
}

/// The size of a file, and its bytes from an offset on: at most `length`, and at most 64 KiB.
pub async fn part(work_dir: &Path, named: &str, offset: u64, length: Option<u64>) -> Result<(u64, Vec<u8>), Refusal> {
    let (mut file, size) = open(&resolve(work_dir, named)?).await?;
    let mut data = Vec::new();
    if offset < size {
        file.seek(SeekFrom::Start(offset)).await.map_err(|e| missing(&e))?;
        let length = length.unwrap_or(READ_MAX).min(READ_MAX);
        file.take(length).read_to_end(&mut data).await.map_err(|e| missing(&e))?;
    }
    Ok((size, data))
}

/// `/files/browse?path=` lists a directory.
pub async fn browse(context: State<Context>, arguments: Arguments) -> Result<Json<Value>, Refusal> {
    let infos = list(&context.work_dir, named(&arguments)?).await?;
    Ok(Json(infos.iter().map(shown).collect()))
}

/// What is in a directory, by path.
pub async fn list(work_dir: &Path, named: &str) -> Result<Vec<FileInfo>, Refusal> {
    let mut entries = tokio::fs::read_dir(resolve(work_dir, named)?).await.map_err(|e| missing(&e))?;
    let mut found = Vec::new();
    while let Some(entry) = entries.next_entry().await.map_err(|e| missing(&e))? {
        if let Ok(metadata) = entry.metadata().await {
            found.push(describe(&entry.path(), &metadata));
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// `/files/download?path=` gives the file itself.
pub async fn download(context: State<Context>, arguments: Arguments) -> Result<Response, Refusal> {
    let path = resolve(&context.work_dir, named(&arguments)?)?;
    let (file, size) = open(&path).await?;
    let headers =
        [(header::CONTENT_TYPE, "application/octet-stream".to_owned()), (header::CONTENT_LENGTH, size.to_string())];
    let parts = stream::try_unfold(file.take(size), |mut file| async {
        let mut part = BytesMut::with_capacity(PART_BYTES);
        let length = file.read_buf(&mut part).await?;
        std::io::Result::Ok((length > 0).then(|| (part.freeze(), file)))
    });
    Ok((headers, Body::from_stream(parts)).into_response())
}

/// Opens a regular file, and tells its size. A task may have put anything in the place of its output; what is no
/// regular file is not opened, since that may wait for a writer for ever.
async fn open(path: &Path) -> Result<(File, u64), Refusal> {
    let refused = || Refusal::new(400, "Cannot read this: it is not a regular file.\n");
    if !tokio::fs::metadata(path).await.map_err(|e| missing(&e))?.is_file() {
        return Err(refused());
    }
    let opened = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path).await;
    let file = opened.map_err(|e| missing(&e))?;
    let metadata = file.metadata().await.map_err(|e| missing(&e))?;
    // It may have become something else in between.
    if metadata.is_file() { Ok((file, metadata.len())) } else { Err(refused()) }
}

/// The path in a query.
fn named(arguments: &Arguments) -> Result<&str, Refusal> {
    let named = arguments.get("path").filter(|path| !path.is_empty());
    named.map(String::as_str).ok_or(Refusal::new(400, "Expecting 'path=value' in query.\n"))
}

/// The file that `path` names, links followed; nothing outside of the working directory.
fn resolve(work_dir: &Path, named: &str) -> Result<PathBuf, Refusal> {
    let path = Path::new(named).canonicalize().map_err(|e| missing(&e))?;
    if path.starts_with(work_dir) { Ok(path) } else { Err(Refusal::new(404, "")) }
}

fn missing(_: &std::io::Error) -> Refusal {
    Refusal::new(404, "")
}

fn number<T: std::str::FromStr>(arguments: &Arguments, name: &str, default: T) -> Result<T, Refusal> {
    let parse =
        |text: &String| text.parse().map_err(|_| Refusal::new(400, format!("Failed to parse {name}: '{text}'\n")));
    arguments.get(name).map_or(Ok(default), parse)
}

/// As `/files/browse` shows it.
fn shown(info: &FileInfo) -> Value {
    json!({
        "path": info.path,
        "size": info.size(),
        "nlink": info.nlink(),
        "mtime": info.mtime.map_or(0, |mtime| mtime.nanoseconds.div_euclid(SECOND)),
        "mode": mode(info.mode()),
        "uid": info.uid(),
        "gid": info.gid(),
    })
}

fn describe(path: &Path, metadata: &std::fs::Metadata) -> FileInfo {
    use std::os::unix::fs::MetadataExt;
    FileInfo {
        path: path.display().to_string(),
        size: Some(metadata.len()),
        nlink: i32::try_from(metadata.nlink()).ok(),
        mtime: Some(TimeInfo { nanoseconds: metadata.mtime().saturating_mul(SECOND) }),
        mode: Some(metadata.mode()),
        uid: Some(metadata.uid().to_string()),
        gid: Some(metadata.gid().to_string()),
    }
}

/// As `ls -l` writes it.
fn mode(mode: u32) -> String {
    let kind = if mode & libc::S_IFMT == libc::S_IFDIR { 'd' } else { '-' };
    let bits = (0..9).rev().map(|n| mode & (1 << n) != 0);
    let letters = "rwxrwxrwx".chars().zip(bits).map(|(letter, set)| if set { letter } else { '-' });
    std::iter::once(kind).chain(letters).collect()
}
