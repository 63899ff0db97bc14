"""Why a record is not in the CRM, or was not undone: each reason in words, without any customer's
value."""

HELD = {
    "missing_required": "a required field is blank",
    "invalid_value": "a value does not fit its field",
    "ambiguous_key": "the key fits more than one CRM record",
    "unknown_owner": "the owner is no active user of the CRM",
    "refused_by_table": "the CRM's table refused the record",
    "key_known": "the CRM has a record with the same key",
    "key_taken": "the CRM record with the same key is another QuickBooks record",
    "same_key_in_batch": "another QuickBooks record has the same key",
    "check_fields": "the CRM has a record that is the same on all check fields",
    "same_in_batch": "another QuickBooks record is the same thing",
    "excluded_by_mapping": "the mapping excludes it",
    "before_start_date": "the document is older than the company's start date",
    "linked": "a person has linked it; the next sync takes it up",
    "erased_on_request": "erased on request",
    "unlinked": "a person has unlinked it from its CRM record",
    "undone": "undone by a person; tried again when it or its mapping changes, or with `retry "
    "--reason undone`",
    "deleted_in_quickbooks": "deleted in QuickBooks before it was in the CRM",
}
"""Why a record is held back."""

KEPT = {
    "changed_since": "changed since by somebody in the CRM or a later run",
    "linked_since": "linked, unlinked or brought up to date since",
    "gone_since": "the CRM record has been deleted since",
    "image_gone": "what it held is no longer kept",
    "number_taken": "the CRM has another record under that key by now",
    "came_since": "the CRM has it as another record by now",
    "referenced": "records that stay refer to it",
}
"""Why a record was not undone."""

REASONS = HELD | KEPT


def sentence(reason: str) -> str:
    """The reason in words."""
    return REASONS.get(reason, reason.replace("_", " "))
