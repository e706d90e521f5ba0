//! `/files`: the sandboxes, read only. Follows `src/files/files.cpp`.

use std::collections::BTreeMap;
use std::io::SeekFrom;
use std::path::{Component, Path, PathBuf};

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::answer::{self, Arguments};
use super::{Context, numbers, view_of_files};
use crate::local::refusal::Refusal;
use crate::proto::v1::FileInfo;

/// At most 16 pages of 4 KiB come at once.
const READ_MAX: u64 = 16 * 4096;
/// What a download holds of a file at once.
const PART_BYTES: usize = 64 * 1024;

/// `/files/read?path=&offset=&length=` gives `{data, offset}`. An offset of -1 gives the size as the offset and no data;
/// a length of -1 reads as much as possible.
pub async fn read(context: State<Context>, arguments: Arguments) -> Result<Response, Refusal> {
    let path = named(&arguments)?;
    let asked = u64::try_from(number(&arguments, "offset")?.unwrap_or(-1));
    let length = u64::try_from(number(&arguments, "length")?.unwrap_or(-1)).ok();
    let (offset, length) = asked.map_or((0, Some(0)), |offset| (offset, length));
    let (size, data) = part(&context, path, offset, length).await?;
    let told = json!({ "data": String::from_utf8_lossy(&data), "offset": asked.unwrap_or(size) });
    Ok(answer::value(&told, &arguments))
}

/// The size of a file and a part of it, of so many bytes if there are as many and one may have them at once.
pub async fn part(context: &Context, path: &str, offset: u64, length: Option<u64>) -> Result<(u64, Vec<u8>), Refusal> {
    let (mut file, size) = open(&resolve(context, path).await?, "read").await?;
    let mut data = Vec::new();
    if offset < size {
        file.seek(SeekFrom::Start(offset)).await.map_err(|e| missing(&e))?;
        file.take(length.map_or(READ_MAX, |length| length.min(READ_MAX)))
            .read_to_end(&mut data)
            .await
            .map_err(|e| missing(&e))?;
    }
    Ok((size, data))
}

/// `/files/browse?path=` lists a directory.
pub async fn browse(context: State<Context>, arguments: Arguments) -> Result<Response, Refusal> {
    let found = list(&context, named(&arguments)?).await?;
    Ok(answer::value(&found.iter().map(view_of_files::shown).collect::<Value>(), &arguments))
}

/// The files of a directory, by name. Anything else than a directory has none.
pub async fn list(context: &Context, path: &str) -> Result<Vec<FileInfo>, Refusal> {
    let mut found = Vec::new();
    if let Ok(mut entries) = tokio::fs::read_dir(resolve(context, path).await?).await {
        while let Some(entry) = entries.next_entry().await.map_err(|e| missing(&e))? {
            if let Ok(metadata) = tokio::fs::metadata(entry.path()).await {
                found.push(view_of_files::describe(&Path::new(path).join(entry.file_name()), &metadata));
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

/// `/files/download?path=` gives the file itself.
pub async fn download(context: State<Context>, arguments: Arguments) -> Result<Response, Refusal> {
    let found = resolve(&context, named(&arguments)?).await;
    let path = found.map_err(|refusal| if refusal.status == 404 { super::stream::not_found() } else { refusal })?;
    let (file, size) = open(&path, "download").await?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let headers = [
        (header::CONTENT_TYPE, view_of_files::media_type(&name).to_owned()),
        (header::CONTENT_LENGTH, size.to_string()),
        (header::CONTENT_DISPOSITION, view_of_files::attachment(&name)),
    ];
    let parts = stream::try_unfold(file.take(size), |mut file| async {
        let mut part = BytesMut::with_capacity(PART_BYTES);
        let length = file.read_buf(&mut part).await?;
        std::io::Result::Ok((length > 0).then(|| (part.freeze(), file)))
    });
    Ok((headers, Body::from_stream(parts)).into_response())
}

/// `/files/debug`: the directories of the sandboxes, by the paths under which clients ask for them.
pub async fn debug(context: State<Context>, arguments: Arguments) -> Response {
    let places = places(&context).await;
    let shown = places.into_iter().map(|(name, place)| (name, json!(place.display().to_string())));
    answer::value(&shown.collect::<Value>(), &arguments)
}

/// Where the sandboxes are, by path.
async fn places(context: &Context) -> BTreeMap<String, PathBuf> {
    context.cluster.ask(|machine, _| machine.sandboxes()).await.unwrap_or_default()
}

/// Opens a regular file, and tells its size. A task may have put anything in the place of its output; what is no
/// regular file is not opened, since that may wait for a writer for ever.
async fn open(path: &Path, what: &str) -> Result<(File, u64), Refusal> {
    let refused = |is_dir: bool| {
        let why = if is_dir {
            format!("Cannot {what} a directory.\n")
        } else {
            format!("Cannot {what} this: it is not a regular file.\n")
        };
        Err(Refusal::new(400, why))
    };
    let metadata = tokio::fs::metadata(path).await.map_err(|e| missing(&e))?;
    if !metadata.is_file() {
        return refused(metadata.is_dir());
    }
    let opened = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path).await;
    let file = opened.map_err(|e| missing(&e))?;
    let metadata = file.metadata().await.map_err(|e| missing(&e))?;
    // It may have become something else in between.
    if metadata.is_file() { Ok((file, metadata.len())) } else { refused(metadata.is_dir()) }
}

fn named(arguments: &Arguments) -> Result<&str, Refusal> {
    let named = arguments.get("path").filter(|path| !path.is_empty());
    named.map(String::as_str).ok_or(Refusal::new(400, "Expecting 'path=value' in query.\n"))
}

/// The file that a path names, links followed: one of this machine, or else one of a sandbox, of which the longest that
/// fits counts. Nothing outside of the working directory.
async fn resolve(context: &Context, path: &str) -> Result<PathBuf, Refusal> {
    let path = Path::new(path.strip_prefix("file://").unwrap_or(path));
    let places = places(context).await;
    let of_place = |above: &Path| Some((places.get(above.to_str()?)?, path.strip_prefix(above).ok()?));
    let Some((place, rest)) = path.ancestors().find_map(of_place) else {
        let is_inside = |path: &PathBuf| path.starts_with(&*context.work_dir);
        let found = tokio::fs::canonicalize(path).await.ok().filter(is_inside);
        return found.ok_or_else(|| Refusal::new(404, ""));
    };
    let found = tokio::fs::canonicalize(place.join(rest)).await;
    if rest.components().any(|part| part == Component::ParentDir) {
        // Nothing is told of what is outside, not even whether it is there.
        let sandbox = tokio::fs::canonicalize(place).await.map_err(|e| missing(&e))?;
        let why = || Refusal::new(400, format!("'{}' is inaccessible.\n", path.display()));
        return found.ok().filter(|found| found.starts_with(sandbox)).ok_or_else(why);
    }
    // Links lead to volumes, which are elsewhere in the working directory.
    let found = found.map_err(|e| missing(&e))?;
    if found.starts_with(&*context.work_dir) { Ok(found) } else { Err(Refusal::new(404, "")) }
}

fn missing(_: &std::io::Error) -> Refusal {
    Refusal::new(404, "")
}

fn number(arguments: &Arguments, name: &str) -> Result<Option<i64>, Refusal> {
    let Some(text) = arguments.get(name) else { return Ok(None) };
    let bad = |why: String| Refusal::new(400, why);
    let number: i64 = numbers::number(text).map_err(|why| bad(format!("Failed to parse {name}: {why}.\n")))?;
    if number < -1 { Err(bad(format!("Negative {name} provided: {number}.\n"))) } else { Ok(Some(number)) }
}
