//! Writing images to what stands for disks.

use std::cell::RefCell;
use std::fs;

use builder::disk;
use builder::medium::Medium;
use builder::unpacked::Unpacked;
use builder::writing::{self, Step};

use crate::fixtures::{Desk, blob, image, run};

const MEBIBYTE: usize = 1 << 20;

fn desk(test: &str) -> (Desk, Vec<u8>) {
    let desk = Desk::new(&format!("flashing-{test}"));
    let image = image(b"a kernel", &blob()).bytes;
    desk.put("router.img", &image);
    (desk, image)
}

fn flash(desk: &Desk, disk: &[u8]) -> (Vec<u8>, String) {
    desk.put("disk", disk);
    let (code, out, err) = run(desk, "flash router.img disk --onto-file");
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("disk: written and read back, 5,242,880 bytes\n"), "{out}");
    (fs::read(desk.0.join("disk")).unwrap(), err)
}

#[test]
fn a_disk_as_large_as_the_image_is_the_image_then() {
    let (desk, image) = desk("same");

    let (disk, _) = flash(&desk, &vec![0xee; image.len()]);

    assert!(disk == image);
}

#[test]
fn a_larger_disk_has_its_table_at_both_ends_and_boots_the_same() {
    let (desk, image) = desk("larger");
    // Not whole sectors, either.
    let length = image.len() + 3 * MEBIBYTE + 700;

    let (disk, _) = flash(&desk, &vec![0xee; length]);

    assert_eq!(disk.len(), length);
    let last = length / 512 - 1;
    let number = |at: usize| u64::from_le_bytes(disk[at..at + 8].try_into().unwrap());
    // Each header has its own place and the other's, and the last sector that may be used.
    assert_eq!((number(512 + 24), number(512 + 32), number(512 + 48)), (1, last as u64, last as u64 - 33));
    assert_eq!((number(512 * last + 24), number(512 * last + 32)), (last as u64, 1));
    assert!(disk[512 * 34..image.len() - 512 * 33] == image[512 * 34..image.len() - 512 * 33]);
    // What is behind the image is nobody's, and stays.
    assert!(disk[image.len()..512 * (last - 32)].iter().all(|byte| *byte == 0xee));
    assert!(disk[512 * (last + 1)..].iter().all(|byte| *byte == 0xee));
    let [one, other] = [&image, &disk].map(|bytes| Unpacked::read(bytes).unwrap());
    assert!(one.kernel == other.kernel && one.config == other.config);
    let (code, out, _) = run(&desk, "config disk");
    assert_eq!((code, out.ends_with("boots with   the first slot\n")), (0, true), "{out}");
}

#[test]
fn a_disk_has_no_table_until_everything_else_is_there_and_was_read_back() {
    let (desk, image) = desk("cut");
    // It was ours before, so what is left of that would look like a table, too.
    let path = desk.put("disk", &image);
    let medium = Medium::new(fs::File::options().read(true).write(true).open(&path).unwrap());
    let seen = RefCell::new(Vec::new());

    let done = |step: Step, _: usize| {
        let has_table = disk::partition_of(&fs::read(&path).unwrap(), "sekisho-boot").is_ok();
        seen.borrow_mut().push((step, has_table));
    };
    writing::write(&medium, &image, &done).unwrap();

    let seen = seen.into_inner();
    let (before, after) = seen.split_at(seen.len() - 4);
    let steps: Vec<_> = before.iter().map(|(step, _)| *step).collect();
    assert_eq!(steps, [[Step::Write; 5], [Step::Compare; 5]].concat());
    assert!(before.iter().all(|(_, has_table)| !has_table) && after[3] == (Step::Compare, true));
}

#[test]
fn a_disk_whose_first_table_is_lost_has_the_other() {
    let (desk, image) = desk("lost");
    let (mut disk, _) = flash(&desk, &vec![0; image.len() + MEBIBYTE]);

    disk[512..1024].fill(0);

    assert!(disk::partition_of(&disk, "sekisho-boot").is_ok());
}

#[test]
fn what_is_overwritten_is_shown_before() {
    let (desk, image) = desk("shown");
    let mut fat = vec![0; image.len()];
    fat[0x52..0x57].copy_from_slice(b"FAT32");
    fat[0x47..0x52].copy_from_slice(b"HOLIDAYS   ");
    let mut old = vec![0; image.len()];
    old[510..512].copy_from_slice(&[0x55, 0xaa]);
    old[446 + 4] = 0x83;

    let [blank, fat, old, ours] =
        [&vec![0; image.len()], &fat, &old, &image].map(|disk| flash(&desk, disk).1);

    let begins = |told: &str, line: &str| {
        let expected = format!("disk: a file of 5,242,880 bytes\n  {line}\n");
        assert!(told.starts_with(&expected), "{told}");
    };
    begins(&blank, "nothing that we know");
    begins(&fat, "FAT \"HOLIDAYS\"");
    begins(&old, "a table of 1 partitions (MBR)");
    begins(
        &ours,
        "a table of 3 partitions (GPT)\n  sekisho-boot         1,048,576 bytes FAT \"SEKISHO\"\n  sekisho-config-1     \
         1,048,576 bytes\n  sekisho-config-2     1,048,576 bytes",
    );
    assert!(
        blank.ends_with("All of it is lost when router.img for qemu-x86_64, 5,242,880 bytes, is written.\n")
    );
}

#[test]
fn what_is_no_disk_or_too_small_or_the_image_itself_is_refused_untouched() {
    let (desk, image) = desk("refused");
    desk.put("disk", &[1; 4096]);
    desk.put("text", b"no image");
    for (arguments, code, reason) in [
        ("router.img disk", 2, "disk: is a file; name a disk such as /dev/sdb, or say --onto-file"),
        ("router.img disk --onto-file", 2, "disk: is too small: 4,096 bytes; the image needs 5,242,880"),
        ("router.img router.img --onto-file", 2, "router.img: is the image itself; name another file"),
        ("router.img none --onto-file", 1, "none: cannot read: "),
        ("router.img .", 2, ".: is no block device; name a disk such as /dev/sdb"),
        ("router.img /dev/null", 2, "/dev/null: is no block device; name a disk such as /dev/sdb"),
        ("router.img /dev/null --onto-file", 2, "/dev/null: is no regular file; leave --onto-file out"),
        ("text disk --onto-file", 2, "text: has no partition table: "),
        ("disk router.img --onto-file", 2, "disk: has no partition table: "),
        (
            "router.img disk --onto-file --overwrite x",
            2,
            "error: the argument '--onto-file' cannot be used with",
        ),
        ("router.img disk --although late", 2, "error: invalid value 'late' for '--although <REASON>'"),
    ] {
        let (found, out, err) = run(&desk, &format!("flash {arguments}"));

        assert_eq!((found, &out[..]), (code, ""), "{arguments}: {err}");
        assert!(err.starts_with(reason), "{arguments}: {err}");
    }
    assert!(fs::read(desk.0.join("router.img")).unwrap() == image);
    assert_eq!(fs::read(desk.0.join("disk")).unwrap(), [1; 4096]);
}
