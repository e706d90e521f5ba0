//! How a file is told of: its description, its media type, and its name for whoever saves it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::proto::v1::{FileInfo, TimeInfo};

/// In nanoseconds.
const SECOND: i64 = 1_000_000_000;

/// What is told of a file (`createFileInfo` in `src/common/protobuf_utils.cpp`).
pub fn describe(path: &Path, metadata: &std::fs::Metadata) -> FileInfo {
    let user = nix::unistd::User::from_uid(metadata.uid().into()).ok().flatten().map(|user| user.name);
    let group = nix::unistd::Group::from_gid(metadata.gid().into()).ok().flatten().map(|group| group.name);
    FileInfo {
        path: path.display().to_string(),
        nlink: i32::try_from(metadata.nlink()).ok(),
        size: Some(metadata.len()),
        mtime: Some(TimeInfo { nanoseconds: metadata.mtime().saturating_mul(SECOND) }),
        mode: Some(metadata.mode()),
        uid: Some(user.unwrap_or_else(|| metadata.uid().to_string())),
        gid: Some(group.unwrap_or_else(|| metadata.gid().to_string())),
    }
}

/// As `/files/browse` shows it (`model(FileInfo)` in `src/common/http.cpp`).
pub fn shown(info: &FileInfo) -> Value {
    json!({
        "gid": info.gid(),
        "mode": mode(info.mode()),
        "mtime": info.mtime.map_or(0.0, |mtime| mtime.nanoseconds.div_euclid(SECOND) as f64),
        "nlink": info.nlink(),
        "path": info.path,
        "size": info.size(),
        "uid": info.uid(),
    })
}

/// As `ls -l` writes it.
fn mode(mode: u32) -> String {
    let kind = match mode & libc::S_IFMT {
        libc::S_IFDIR => 'd',
        libc::S_IFCHR => 'c',
        libc::S_IFBLK => 'b',
        libc::S_IFIFO => 'p',
        libc::S_IFLNK => 'l',
        libc::S_IFSOCK => 's',
        _ => '-',
    };
    let bits = (0..9).rev().map(|n| mode & (1 << n) != 0);
    let letters = "rwxrwxrwx".chars().zip(bits).map(|(letter, set)| if set { letter } else { '-' });
    std::iter::once(kind).chain(letters).collect()
}

/// The media type of a file with this name, by its end as in libprocess' `mime.cpp`. What a browser would run, if a page
/// had it as a script, a style or a frame, has no type of its own: tasks of anyone write these files, and they come from
/// the cluster's own origin.
pub fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, end)| end) {
        "bat" | "c" | "h" | "ksh" | "pl" | "txt" => "text/plain",
        "py" => "text/x-python",
        "tsv" => "text/tab-separated-values",
        "sh" => "application/x-sh",
        "pdf" => "application/pdf",
        "ps" | "eps" | "ai" => "application/postscript",
        "tar" => "application/x-tar",
        "zip" => "application/zip",
        "bmp" => "image/x-ms-bmp",
        "gif" => "image/gif",
        "jpe" | "jpeg" | "jpg" => "image/jpeg",
        "png" => "image/png",
        "tif" | "tiff" => "image/tiff",
        "mp3" => "audio/mpeg",
        "wav" => "audio/x-wav",
        "mp4" => "video/mp4",
        "mpeg" | "mpg" => "video/mpeg",
        "avi" => "video/x-msvideo",
        "mov" => "video/quicktime",
        _ => "application/octet-stream",
    }
}

/// The header that has a client save a file under this name. A name that is not a token is quoted (RFC 6266).
pub fn attachment(name: &str) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(byte);
    if !name.is_empty() && name.bytes().all(|byte| is_plain(&byte)) {
        return format!("attachment; filename={name}");
    }
    let rough: String = name.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '_' }).collect();
    let rough = rough.replace(['"', '\\'], "_");
    let exact: String =
        name.bytes().map(|b| if is_plain(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect();
    format!("attachment; filename=\"{rough}\"; filename*=UTF-8''{exact}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_no_tokens_are_quoted() {
        for (name, expected) in [
            ("stdout", "filename=stdout"),
            ("a b.txt", r#"filename="a b.txt"; filename*=UTF-8''a%20b.txt"#),
            ("\"\r\nX: y", r#"filename="___X: y"; filename*=UTF-8''%22%0D%0AX%3A%20y"#),
            ("ä", r#"filename="_"; filename*=UTF-8''%C3%A4"#),
        ] {
            assert_eq!(attachment(name), format!("attachment; {expected}"));
        }
    }

    #[test]
    fn what_a_browser_could_run_has_no_type_of_its_own() {
        assert_eq!(media_type("a.txt"), "text/plain");
        for name in ["a.html", "a.js", "a.css", "a.svg", "a.xml", "stdout", "txt", ""] {
            assert_eq!(media_type(name), "application/octet-stream", "{name}");
        }
    }
}
