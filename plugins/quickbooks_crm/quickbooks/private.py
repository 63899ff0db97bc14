"""What QuickBooks sends of people that no copy may hold: it is taken off before it is stored."""

import msgspec

PRIVATE = {
    "Employee": ("SSN", "BirthDate"),
    "Vendor": ("TaxIdentifier",),
}
"""Fields that no CRM uses and whose loss would do people harm, by entity."""

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def without_private(entity: str, raw: bytes) -> bytes:
    """A record without its private fields; all others stay as they were sent."""
    private = [name for name in PRIVATE.get(entity, ()) if f'"{name}"'.encode() in raw]
    if not private:
        return raw
    fields = _fields.decode(raw)
    return msgspec.json.encode({name: part for name, part in fields.items() if name not in private})
