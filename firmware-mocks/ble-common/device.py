"""Power on: the command line, the radio behind HCI over TCP, the profile, and the hook."""
import argparse
import asyncio
import json
import os
import sys
from datetime import timedelta

from bumble.transport import open_transport
from clock import Clock
from flash import Flash
from hook import Hook
from vaka_gatt import FAULTS, Profile

NEEDED = ("tenant", "device", "address", "hci", "state_dir")


def main(make_product):
    parser = argparse.ArgumentParser()
    parser.add_argument("config")
    parser.add_argument("--fault", action="append", default=[], choices=FAULTS)
    parser.add_argument("--hook-port", type=int)
    arguments = parser.parse_args()
    try:
        with open(arguments.config) as file:
            config = json.load(file)
        missing = [key for key in NEEDED if key not in config]
        if missing:
            raise ValueError("missing: " + ", ".join(missing))
        asyncio.run(live(config, arguments, make_product))
    except (OSError, ValueError) as error:
        sys.exit("%s: %s" % (arguments.config, error))
    except KeyboardInterrupt:
        pass


async def live(config, arguments, make_product):
    os.makedirs(config["state_dir"], exist_ok=True)
    flash = Flash(os.path.join(config["state_dir"], "flash.db"))
    clock = Clock(timedelta(days=1) if "wrong-clock" in arguments.fault else timedelta(0))
    product = make_product(flash)
    profile = Profile(config, flash, clock, product, arguments.fault)
    product.event = profile.event
    transport = await open_transport("tcp-client:" + config["hci"])
    await profile.start(transport, config["state_dir"])
    hook = Hook(actions(profile, arguments))
    port = arguments.hook_port if arguments.hook_port is not None else config.get("hook_port")
    if port is not None:
        arguments.hook_port = await hook.open(port)
        print("hook: %d" % arguments.hook_port, file=sys.stderr, flush=True)
    print("on", file=sys.stderr, flush=True)
    await transport.source.terminated
    raise OSError("the radio is gone")


def actions(profile, arguments):
    def event(fields):
        act = profile.product.words.get(fields.get("type"))
        if act is None:
            raise ValueError("it never says %s" % fields.get("type"))
        return lambda: act(fields.get("data") or {})

    def reset(_):
        command = [sys.executable, sys.argv[0], arguments.config, "--hook-port", str(arguments.hook_port)]
        for fault in arguments.fault:
            command += ["--fault", fault]
        return lambda: os.execv(sys.executable, command)    # every socket closes at once, without a goodbye

    def battery(fields):
        percent = int(fields["percent"])
        if not 0 <= percent <= 100:
            raise ValueError("percent: 0 to 100")
        return lambda: profile.charge(percent)

    def clock(fields):
        if fields.get("unset"):
            return profile.clock.unset
        wrong = timedelta(seconds=float(fields["offset_s"]))
        return lambda: setattr(profile.clock, "wrong", wrong)

    def link(fields):
        seconds = float(fields["down_s"])
        return lambda: profile.spawn(profile.away(seconds))

    def jam(fields):
        jammed = bool(fields.get("on", True))
        return lambda: profile.product.jam(jammed)

    return {"event": event, "reset": reset, "battery": battery, "clock": clock, "link": link, "jam": jam}
