"""Airloom's operators: template fields, the step, and its record handed to XCom, assets and lineage."""
