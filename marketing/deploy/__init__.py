"""How the platform is packed, installed and checked."""
