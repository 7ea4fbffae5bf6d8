"""Attacks of the engine: one file per attack holds its algorithm and its table.

To add an attack, write a subclass of `alignsec.engine.table.Table` here and add a record to
`alignsec.spec.components.COMPONENTS`.
"""
