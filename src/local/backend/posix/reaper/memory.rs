//! Gives back the memory that the spawner has from the process that it is a fork of, and has no use for. Otherwise what
//! that process writes to is kept twice as long as the spawner lives, and each fork of the spawner would cost the more,
//! the larger the process was and the more libraries it had. Async-signal-safe, and allocates nothing.

/// The addresses that this process goes on to use, in memory that is kept.
struct Needed {
    memory: [usize; 2],
    /// Within the libraries that this code is in and calls, and their files.
    code: [usize; 3],
    files: [u64; 3],
}

impl Needed {
    /// Its stack, its thread's own data, this library, the C library and the loader.
    fn here(on_stack: &u8) -> Self {
        let own_code: unsafe fn() = give_back;
        let c_library: unsafe extern "C" fn(i32) -> i32 = libc::close;
        // SAFETY: asks for addresses.
        let (own_data, loader) = unsafe { (libc::__errno_location() as usize, libc::getauxval(libc::AT_BASE)) };
        let loader = usize::try_from(loader).unwrap_or_default();
        let memory = [std::ptr::from_ref(on_stack) as usize, own_data];
        Self { memory, code: [own_code as usize, c_library as usize, loader], files: [0; 3] }
    }
}

/// Whether functions of the C library may be replaced, by code that needs memory that this knows nothing of.
pub fn is_interposed() -> bool {
    std::env::var_os("LD_PRELOAD").is_some_and(|libraries| !libraries.is_empty())
        || std::path::Path::new("/etc/ld.so.preload").exists()
}

/// Unmaps all memory that this process does not need. It must have no handlers of signals but its own.
pub unsafe fn give_back() {
    let on_stack = 0_u8;
    let mut needed = Needed::here(&on_stack);
    for_each_line(|line| {
        let Some(mapping) = parse(line) else { return };
        for (file, address) in needed.files.iter_mut().zip(needed.code) {
            if mapping.has(address) {
                *file = mapping.inode;
            }
        }
    });
    let (mut last_file, mut last_end) = (0, 0);
    for_each_line(|line| {
        let Some(mapping) = parse(line) else { return };
        // The zeroed data of a library follows what is read from its file.
        let follows = mapping.inode == 0 && mapping.start == last_end;
        if !follows {
            last_file = mapping.inode;
        }
        last_end = mapping.end;
        let of_library = last_file != 0 && needed.files.contains(&last_file);
        let is_used = needed.memory.iter().any(|address| mapping.has(*address));
        if !(mapping.special || of_library || is_used) {
            // SAFETY: nothing that this process will use is there.
            unsafe { libc::munmap(mapping.start as *mut libc::c_void, mapping.end - mapping.start) };
        }
    });
}

struct Mapping {
    start: usize,
    end: usize,
    /// Of its file; 0 if it has none.
    inode: u64,
    /// The kernel's, such as `[vdso]`, or the stack of the main thread, in which tools find the arguments.
    special: bool,
}

impl Mapping {
    fn has(&self, address: usize) -> bool {
        (self.start..self.end).contains(&address)
    }
}

/// Of `START-END PERMISSIONS OFFSET DEVICE INODE [NAME]`, as proc_pid_maps(5) has it.
fn parse(line: &[u8]) -> Option<Mapping> {
    let mut fields = line.split(|byte| *byte == b' ').filter(|field| !field.is_empty());
    let mut addresses = fields.next()?.split(|byte| *byte == b'-');
    let (start, end) = (number(addresses.next()?, 16)?, number(addresses.next()?, 16)?);
    let inode = number(fields.nth(3)?, 10)? as u64;
    let special =
        fields.next().is_some_and(|name| name.starts_with(b"[") && name != b"[heap]" && !name.starts_with(b"[anon"));
    Some(Mapping { start, end, inode, special })
}

fn number(digits: &[u8], radix: u32) -> Option<usize> {
    digits.iter().try_fold(0_usize, |number, digit| {
        let digit = char::from(*digit).to_digit(radix)?;
        number.checked_mul(radix as usize)?.checked_add(digit as usize)
    })
}

/// Calls for every line of `/proc/self/maps`.
fn for_each_line(mut each: impl FnMut(&[u8])) {
    let (mut buffer, mut filled) = ([0_u8; 8192], 0);
    // SAFETY: the descriptor is our own, and the kernel writes no more than the buffer holds.
    unsafe {
        let file = libc::open(c"/proc/self/maps".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        loop {
            let got = libc::read(file, buffer.as_mut_ptr().add(filled).cast(), buffer.len() - filled);
            let Some(got) = usize::try_from(got).ok().filter(|got| *got > 0) else { break };
            filled += got;
            while let Some(length) = buffer[..filled].iter().position(|byte| *byte == b'\n') {
                each(&buffer[..length]);
                buffer.copy_within(length + 1..filled, 0);
                filled -= length + 1;
            }
        }
        libc::close(file);
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_line_tells_the_file_of_a_mapping_and_whether_it_is_the_kernels() {
        let of = |line: &str| parse(line.as_bytes()).map(|mapping| (mapping.inode, mapping.special));
        assert_eq!(of("7f00-7f10 rw-p 00000000 00:00 0"), Some((0, false)));
        assert_eq!(of("7f00-7f10 rw-p 00000000 00:00 0                          [heap]"), Some((0, false)));
        assert_eq!(of("7f00-7f10 rw-p 00000000 00:00 0                          [anon:cache]"), Some((0, false)));
        assert_eq!(of("7f00-7f10 rw-p 00000000 00:00 0                          [stack]"), Some((0, true)));
        assert_eq!(of("7f00-7f10 r-xp 00000000 00:00 0                          [vdso]"), Some((0, true)));
        assert_eq!(of("7f00-7f10 rw-p 00001000 fe:00 4711   /usr/lib/libc.so.6"), Some((4711, false)));
        assert_eq!(of("not a mapping"), None);
        let mapping = parse(b"7f00-7f10 rw-p 00000000 00:00 0").expect("parsed");
        assert!(mapping.has(0x7f00) && mapping.has(0x7f0f) && !mapping.has(0x7f10));
    }
}
