"""doctor: is this installation well?"""

import typer

from lensmill.cli.app import app
from lensmill.cli.reading import TrustOption, WeightsOption
from lensmill.cli.shared import DeviceOption, chosen_device, friendly


@app.command()
def doctor(
    weights: WeightsOption = None,
    device: DeviceOption = "auto",
    trust: TrustOption = False,
) -> None:
    """Show versions, device, memory and weights, and test the chain; exit code 1 if one is bad."""
    with friendly():
        from lensmill.survey.doctor import doctor as verb

        well = True
        for finding in verb(weights, device=chosen_device(device), trust=trust):
            typer.echo(
                f"{'ok' if finding.well else 'NOT WELL':9s} {finding.name:10s} {finding.seen}"
            )
            well = well and finding.well
        if not well:
            raise ValueError("not well; the lines above say what")
