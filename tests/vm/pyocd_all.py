"""Programs and debugs the target of every board by pyOCD, in one process: its start costs more than its work.

usage: pyocd_all.py TARGET PROGRAM v1|v2…, serial numbers on standard input, one a line
"""

import sys

from intelhex import IntelHex
from pyocd.core.helpers import ConnectHelper
from pyocd.core.session import Session
from pyocd.flash.file_programmer import FileProgrammer


def probe(number, version):
    """The board's probe over CMSIS-DAP v1 or v2. Which one pyOCD prefers is an option of the session of the moment."""
    with_option = Session(None, options={"cmsis_dap.prefer_v1": version == "v1"})
    found = [probe for probe in ConnectHelper.get_all_connected_probes(blocking=False) if probe.unique_id == number]
    assert len(found) == 1, f"{number} is there {len(found)} times"
    # There is no public way to ask; the interfaces of a board are as good as each other otherwise.
    bulk = found[0]._link._interface.is_bulk
    assert bulk == (version == "v2"), f"{number} over {'bulk' if bulk else 'HID'}, {version} was wanted"
    del with_option
    return found[0]


def debug(number, version, target, program):
    image = IntelHex(program)
    with Session(probe(number, version), options={"target_override": target}) as session:
        FileProgrammer(session, progress=lambda part: None).program(program)
        core = session.target.selected_core
        core.reset_and_halt()
        start, end = image.segments()[0]
        assert bytes(core.read_memory_block8(start, end - start)) == image.tobinstr(start, end - 1)
        # The reset vector, whose bit 0 says Thumb.
        assert core.read_core_register("pc") == core.read32(4) & ~1
        core.write_memory_block32(0x2000_0100, [0x1234_5678, 0x9ABC_DEF0])
        assert core.read_memory_block8(0x2000_0102, 4) == [0x34, 0x12, 0xF0, 0xDE]
        core.write_core_register("r3", 0xDEAD_BEEF)
        assert core.read_core_register("r3") == 0xDEAD_BEEF
        before = core.read_core_register("pc")
        core.step()
        assert core.read_core_register("pc") != before
        core.resume()
        assert core.get_state().name in ("RUNNING", "SLEEPING")
    print(f"{number} over {version}")


target, program, *versions = sys.argv[1:]
for number in sys.stdin.read().split():
    for version in versions:
        debug(number, version, target, program)
