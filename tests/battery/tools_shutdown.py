"""`python -m tests.battery.tools_shutdown`: SIGTERM under load, 20 times; no accepted request may be lost."""

import argparse
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.tools_process import tools_service
from tests.unit.test_tools_service_shutdown import WORKERS, Load


def main() -> int:
    """0 when no request was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    lost = answered = 0
    for number in range(parser.parse_args().times):
        environment = {"WHETSTONE_TOOLS_DRAIN_SECONDS": f"{number % 3 * 0.3}"}
        with (
            tempfile.TemporaryDirectory() as folder,
            tools_service(Path(folder), environment=environment) as service,
        ):
            load = Load(service)
            threads = [threading.Thread(target=load.run) for _ in range(WORKERS)]
            for thread in threads:
                thread.start()
            time.sleep(0.5 + number * 0.02)
            service.process.send_signal(signal.SIGTERM)
            for thread in threads:
                thread.join(30)
            code = service.process.wait(30)
        print(f"{number + 1}: {load.answered} answered, {len(load.lost)} lost, exit code {code}", flush=True)
        lost += len(load.lost) + (code != 0)
        answered += load.answered
    print(f"{answered} answered, {lost} lost")
    return 0 if lost == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
