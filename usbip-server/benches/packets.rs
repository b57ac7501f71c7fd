//! What the virtual host controller costs in process, per URB of 64 KiB in packets of 64 bytes, behind a device that
//! does nothing but take or give packets. Included: submit, 1024 transactions at full-speed bus times with their starts
//! of frames, the completion, and the buffer. Not included: any class driver, any firmware.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};
use twinboard_usbip::gadget::{Gadget, SourceSink};
use twinboard_usbip::vhc::{Completion, Urb, Vhc};

const LENGTH: usize = 64 << 10;

fn finish(vhc: &mut Vhc, machine: &mut impl Machine) -> Completion {
    loop {
        vhc.run(machine, Time::NEVER);
        if let Some(done) = vhc.pop() {
            return done;
        }
    }
}

fn packets(criterion: &mut Criterion) {
    let mut gadget = Gadget::new(SourceSink::default());
    let mut vhc = Vhc::new(0);
    vhc.plug(&mut gadget);
    vhc.enumerate(&mut gadget, 1, Span::secs(1)).expect("enumerates");
    vhc.request(&mut gadget, [0, 9, 1, 0, 0, 0, 0, 0], &[]).expect("configures");

    let mut group = criterion.benchmark_group("virtual host controller");
    group.throughput(Throughput::Bytes(LENGTH as u64));
    let mut buffer = vec![0; LENGTH];
    group.bench_function("bulk OUT", |bencher| {
        bencher.iter(|| {
            vhc.submit(Urb::write(0, 1, std::mem::take(&mut buffer)));
            buffer = finish(&mut vhc, &mut gadget).urb.buffer;
        });
    });
    group.bench_function("bulk IN", |bencher| {
        bencher.iter(|| {
            vhc.submit(Urb { buffer: std::mem::take(&mut buffer), ..Urb::read(0, 0x81, LENGTH) });
            buffer = finish(&mut vhc, &mut gadget).urb.buffer;
        });
    });
    group.finish();
}

criterion_group!(benches, packets);
criterion_main!(benches);
