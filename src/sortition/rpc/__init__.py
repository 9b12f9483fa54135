"""The wire contract; generated from proto/ by tools/gen_proto.py."""
