"""Small YAML texts that stand for more than a machine holds."""

LAUGHS = "\n".join(
    [
        "a0: &a0 [lol, lol]",
        *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)),
    ]
)


# Merging is done while a file is read: each line would be ten times the one before it.
MERGES = "\n".join(
    [
        "a0: &a0 {x: 1}",
        *(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}" for i in range(1, 10)),
    ]
)
