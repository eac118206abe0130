//! Which disks may be written to, shown on devices of a kernel that is made of files.

use std::fs;
use std::os::unix::fs::symlink;

use builder::target::{Disk, Reason, System};

use crate::fixtures::Desk;

/// A kernel with a stick, `sdb`, of two partitions, and nothing mounted.
fn kernel(test: &str) -> (Desk, System) {
    let desk = Desk::new(&format!("target-{test}"));
    let system = System { sys: desk.0.join("sys"), proc: desk.0.join("proc") };
    for (name, content) in [
        ("dev", "8:16\n"),
        ("size", "31293440\n"),
        ("ro", "0\n"),
        ("queue/logical_block_size", "512\n"),
        ("device/vendor", "SanDisk \n"),
        ("device/model", "Ultra USB 3.0   \n"),
        ("sdb1/dev", "8:17\n"),
        ("sdb1/partition", "1\n"),
        ("sdb2/dev", "8:18\n"),
        ("sdb2/partition", "2\n"),
    ] {
        desk.put(&format!("sys/devices/usb1/block/sdb/{name}"), content.as_bytes());
    }
    fs::create_dir_all(desk.0.join("sys/dev/block")).unwrap();
    for (number, place) in [("8:16", "sdb"), ("8:17", "sdb/sdb1")] {
        let place = format!("../../devices/usb1/block/{place}");
        symlink(place, desk.0.join("sys/dev/block").join(number)).unwrap();
    }
    desk.put("sys/devices/usb1/idVendor", b"0781\n");
    desk.put("sys/devices/usb1/serial", b"4C530001\n");
    mounted(&desk, "0:25 / / rw - overlay overlay rw");
    swapped(&desk, "/swapfile file 1000 0 -2");
    (desk, system)
}

fn mounted(desk: &Desk, what: &str) {
    desk.put("proc/self/mountinfo", format!("22 1 0:5 / /proc rw - proc proc rw\n36 35 {what}\n").as_bytes());
}

fn swapped(desk: &Desk, what: &str) {
    desk.put("proc/swaps", format!("Filename Type Size Used Priority\n{what}\n").as_bytes());
}

/// Another device, which is made of the second partition.
fn hold(desk: &Desk) {
    desk.put("sys/devices/virtual/block/dm-0/dev", b"253:0\n");
    let holders = desk.0.join("sys/devices/usb1/block/sdb/sdb2/holders");
    fs::create_dir_all(&holders).unwrap();
    symlink("../../../../../virtual/block/dm-0", holders.join("dm-0")).unwrap();
}

fn stick(system: &System) -> Disk {
    system.disk((8, 16)).unwrap()
}

#[test]
fn a_disk_that_nobody_uses_is_known_by_its_maker_s_words() {
    let (_desk, system) = kernel("idle");

    let disk = stick(&system);

    assert_eq!(disk.to_string(), "SanDisk Ultra USB 3.0, serial 4C530001");
    assert_eq!((&disk.name[..], disk.bytes, disk.read_only), ("sdb", 16_022_241_280, false));
    assert_eq!((disk.check(disk.bytes, &[]), disk.uses), (Ok(()), Vec::new()));
}

#[test]
fn a_partition_is_refused_for_its_disk_and_what_is_not_there_is_not_found() {
    let (_desk, system) = kernel("partition");

    assert_eq!(system.disk((8, 17)).unwrap_err(), "is partition 1 of sdb; name the whole disk: /dev/sdb");
    assert!(system.disk((8, 99)).unwrap_err().starts_with("cannot be found in "));
}

#[test]
fn what_is_mounted_is_refused_by_number_and_by_name_and_may_be_overruled_by_its_reason_alone() {
    let (desk, system) = kernel("mounted");
    for line in [
        "8:17 / /media/a\\040stick rw shared:1 - vfat /dev/sdb1 rw",
        "0:40 /@ /media/b rw - btrfs /dev/sdb2 rw",
    ] {
        mounted(&desk, line);

        let disk = stick(&system);

        let told = disk.check(1, &[]).unwrap_err();
        assert!(told.ends_with("; unmount it (umount), or say --although mounted"), "{told}");
        assert!(disk.check(1, &["system".to_owned()]).is_err());
        assert!(disk.check(1, &["mounted".to_owned()]).is_ok());
    }
    mounted(&desk, "8:17 / /media/a\\040stick rw shared:1 - vfat /dev/sdb1 rw");
    assert_eq!(stick(&system).uses[0].what, "sdb1 is mounted on /media/a stick");
    mounted(&desk, "8:33 / /media/other rw - ext4 /dev/sdc1 rw");
    assert_eq!(stick(&system).uses, []);
}

#[test]
fn the_disk_of_the_running_system_is_refused_below_other_devices_too() {
    let (desk, system) = kernel("system");
    hold(&desk);
    mounted(&desk, "253:0 / / rw - ext4 /dev/mapper/root rw");

    let disk = stick(&system);

    let reasons: Vec<_> = disk.uses.iter().map(|used| used.reason).collect();
    assert_eq!(reasons, [Reason::Held, Reason::System]);
    assert_eq!(disk.uses[0].what, "dm-0 is made of sdb2");
    let although = |reasons: &[&str]| reasons.iter().map(|reason| (*reason).to_owned()).collect::<Vec<_>>();
    let told = disk.check(1, &although(&["held", "mounted", "swap"])).unwrap_err();
    assert_eq!(told, "dm-0 is mounted on /; choose another disk, or say --although system");
    assert!(disk.check(1, &although(&["held", "system"])).is_ok());
}

#[test]
fn a_disk_that_memory_is_swapped_to_is_refused() {
    let (desk, system) = kernel("swap");
    swapped(&desk, "/dev/sdb2 partition 1000 0 -2");

    let told = stick(&system).check(1, &[]).unwrap_err();

    assert!(told.starts_with("memory is swapped to sdb2; "), "{told}");
}

#[test]
fn what_nothing_can_be_written_to_is_refused_whatever_is_said() {
    let (desk, system) = kernel("impossible");
    let all: Vec<_> = Reason::ALL.iter().map(|reason| reason.name().to_owned()).collect();

    let small = stick(&system).check(u64::MAX, &all).unwrap_err();
    desk.put("sys/devices/usb1/block/sdb/queue/logical_block_size", b"4096\n");
    let coarse = stick(&system).check(1, &all).unwrap_err();
    desk.put("sys/devices/usb1/block/sdb/ro", b"1\n");
    let protected = stick(&system).check(1, &all).unwrap_err();

    assert!(small.starts_with("is too small: 16,022,241,280 bytes; the image needs "), "{small}");
    assert!(coarse.starts_with("has sectors of 4096 bytes"), "{coarse}");
    assert!(protected.starts_with("is read-only"), "{protected}");
}

#[test]
fn where_it_cannot_be_known_what_is_mounted_nothing_is_written() {
    let (desk, system) = kernel("blind");
    fs::remove_file(desk.0.join("proc/self/mountinfo")).unwrap();

    assert!(system.disk((8, 16)).unwrap_err().contains("mountinfo: cannot be read: "));
}

#[test]
fn a_serial_number_may_be_the_disk_s_own_or_of_scsi_s_page() {
    let (desk, system) = kernel("serial");
    desk.put("sys/devices/usb1/block/sdb/device/vpd_pg80", b"\0\x80\0\x08WD-\x1b1234");
    assert_eq!(stick(&system).serial.as_deref(), Some("WD-1234"));
    desk.put("sys/devices/usb1/block/sdb/serial", b"S1\n");
    assert_eq!(stick(&system).serial.as_deref(), Some("S1"));
}
