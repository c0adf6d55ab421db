"""Functions behind the public names of `lab`, which `lab/__init__.pyi` lists: the same for pages,
command line and Jupyter. Import them as `import lab`.
"""
