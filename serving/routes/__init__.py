"""The native HTTP interface: its routes, what is around them, the bodies they answer with."""
