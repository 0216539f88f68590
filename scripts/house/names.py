"""What a name in a module stands for, going by the module's imports."""

import ast


def imported(tree: ast.Module) -> dict[str, str]:
    """Local name -> full dotted name, for every import in the file: `from datetime import datetime as dt`
    gives {"dt": "datetime.datetime"}."""
    origins: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.partition(".")[0]
                origins[alias.asname or root] = alias.name if alias.asname else root
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                origins[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return origins


def dotted(node: ast.expr, origins: dict[str, str]) -> str:
    """The full dotted name that an expression stands for, "" where it is more than a name."""
    if isinstance(node, ast.Name):
        return origins.get(node.id, "")
    if isinstance(node, ast.Attribute):
        base = dotted(node.value, origins)
        return base and f"{base}.{node.attr}"
    return ""
