"""The device that a name stands for."""

import torch

from homing.errors import UsageError


def resolve_device(device: str | torch.device) -> torch.device:
    """Find the device that a name stands for.

    Parameters
    ----------
    device : str or torch.device
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``, or ``"auto"``: a GPU where there is one.

    Returns
    -------
    torch.device

    Raises
    ------
    UsageError
        There is no such device here.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(
            f"device {str(device)!r} cannot be used here; use 'auto' or 'cpu'."
        ) from error
    return found
