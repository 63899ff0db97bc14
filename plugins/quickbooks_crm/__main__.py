"""Starts the command line: `python -m quickbooks_crm COMMAND`."""

import errno
import logging
import os
import sys

# Airflow's own commands find connections in its metadata database too; this makes it do the same
# for ours.
os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")

from quickbooks_crm.command_line import commands, main


def _open_what_is_closed() -> None:
    """A script may start a command without input or output (`>&-`); Python then has none to use."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _log_to_standard_error() -> None:
    """Airflow logs to standard output, which is for what was asked: scripts read it."""
    for handler in logging.getLogger().handlers:
        if type(handler) is logging.StreamHandler:
            handler.setStream(sys.stderr)


def _until_nobody_reads() -> int:
    """The command's exit code; 1 when its reader has left, such as `head` that has enough."""
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print("The disk is full: what was to be told could not all be written.", file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    _open_what_is_closed()
    commands(sys.argv[1:])  # Airflow, if it is needed, sets up its logging now
    _log_to_standard_error()
    sys.exit(_until_nobody_reads())
