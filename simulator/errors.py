"""What the simulator refuses, in QuickBooks' words."""


class Refused(Exception):
    """A request QuickBooks answers with a Fault: its HTTP status, code, message and detail."""

    def __init__(
        self, code: str, message: str, detail: str, status: int = 400, element: str | None = None
    ):
        super().__init__(f"{code} {message}: {detail}")
        self.code = code
        self.message = message
        self.detail = detail
        self.status = status
        self.element = element


def unparsable(detail: str) -> Refused:
    """The statement does not follow the grammar."""
    return Refused("4000", "Error parsing query", f"QueryParserError: {detail}")


def invalid_query(detail: str) -> Refused:
    """The statement is grammatical, but asks for what there is not."""
    return Refused("4001", "Invalid query", f"QueryValidationError: {detail}")


def not_found() -> Refused:
    """No row has this id, or it was deleted."""
    text = "Object Not Found"
    detail = (
        f"{text} : Something you're trying to use has been made inactive."
        " Check the fields with accounts, customers, items, vendors or employees."
    )
    return Refused("610", text, detail, element="")


def unsupported(path: str) -> Refused:
    """The address, or what is asked of it, does not exist here."""
    detail = f"Operation Could not find resource for relative : {path} is not supported."
    return Refused("500", "Unsupported Operation", detail)
