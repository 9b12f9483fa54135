"""Reports in which every text of other people tries to be more than a text."""

from __future__ import annotations

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

__all__ = ["poison"]

# The report puts these together itself, from what it knows: times, and the key of a day.
_OURS = {"google.protobuf.Timestamp", "google.protobuf.Duration"}


def poison(message: Message, text: str) -> int:
    """Puts `text` behind every text in a message, at every depth, its keys included; returns into how many."""
    count = 0
    for field, value in message.ListFields():
        kind = field.message_type
        if isinstance(message, Struct):
            for key in list(message):
                message[f"{key}{text}"] = text
                del message[key]
                count += 2
        elif kind is not None and kind.full_name not in _OURS:
            count += sum(poison(each, text) for each in ([value] if isinstance(value, Message) else value))
        elif isinstance(value, str):
            setattr(message, field.name, value + text)
            count += 1
        elif kind is None and field.type == FieldDescriptor.TYPE_STRING:
            value[:] = [each + text for each in value]
            count += len(value)
    return count
