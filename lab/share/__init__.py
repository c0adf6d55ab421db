"""Study files, exports and the lines that reproduce a trial."""
