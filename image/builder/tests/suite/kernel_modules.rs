//! Modules of a kernel: which are taken, and in which order.

use std::io::Write as _;

use builder::modules::Directory;
use lzma_rust2::{XzOptions, XzWriter};

use crate::fixtures::{Desk, module};

fn resolve(desk: &Desk, names: &[&str]) -> Result<Vec<String>, String> {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let resolved =
        Directory::open(&desk.0).unwrap().resolve(&names).map_err(|failure| failure.to_string())?;
    Ok(resolved.0.into_iter().map(|module| module.name).collect())
}

#[test]
fn each_module_comes_once_and_after_what_it_rests_on() {
    let desk = Desk::new("order");
    desk.put("6.1/kernel/net/virtio_net.ko", &module(&["license=GPL", "depends=virtio,net-failover"]));
    desk.put("6.1/kernel/net/net_failover.ko", &module(&["depends=failover"]));
    desk.put("6.1/kernel/net/failover.ko", &module(&["depends="]));
    desk.put("6.1/kernel/block/virtio-blk.ko", &module(&["depends=virtio"]));
    desk.put("6.1/kernel/virtio.ko", &module(&[]));
    desk.put("6.1/modules.builtin", b"kernel/fs/ext4/ext4.ko\n");

    let order = resolve(&desk, &["virtio_blk", "ext4", "virtio-net", "virtio"]).unwrap();

    assert_eq!(order, ["virtio", "virtio_blk", "failover", "net_failover", "virtio_net"]);
}

#[test]
fn what_a_module_would_like_to_have_before_it_comes_before_it_if_there_is_one() {
    let desk = Desk::new("soft");
    desk.put("r8169.ko", &module(&["softdep=pre: realtek other post: never"]));
    desk.put("realtek.ko", &module(&[]));
    desk.put("never.ko", &module(&[]));

    assert_eq!(resolve(&desk, &["r8169"]).unwrap(), ["realtek", "r8169"]);
}

#[test]
fn modules_that_rest_on_each_other_end_all_the_same() {
    let desk = Desk::new("circle");
    desk.put("a.ko", &module(&["depends=b"]));
    desk.put("b.ko", &module(&["depends=a"]));

    assert_eq!(resolve(&desk, &["a"]).unwrap(), ["b", "a"]);
}

#[test]
fn packed_modules_are_unpacked() {
    let desk = Desk::new("packed");
    let plain = module(&["depends="]);
    let mut packer = XzWriter::new(Vec::new(), XzOptions::with_preset(1)).unwrap();
    packer.write_all(&plain).unwrap();
    desk.put("card.ko.xz", &packer.finish().unwrap());

    let (modules, _) = Directory::open(&desk.0).unwrap().resolve(&["card".to_owned()]).unwrap();

    assert_eq!(modules[0].content, plain);
}

#[test]
fn a_module_that_is_missing_or_none_is_named() {
    let desk = Desk::new("missing");
    desk.put("card.ko", &module(&["depends=bus"]));
    desk.put("text.ko", b"not a module");

    let directory = desk.0.display();
    assert_eq!(resolve(&desk, &["nic"]).unwrap_err(), format!("{directory}: has no module nic"));
    assert_eq!(
        resolve(&desk, &["card"]).unwrap_err(),
        format!("{directory}: has no module bus, which card needs")
    );
    assert_eq!(resolve(&desk, &["text"]).unwrap_err(), format!("{directory}/text.ko: is no kernel module"));
}
