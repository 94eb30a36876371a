-- JSON objects in one array or one after another: a line is the place of the object in the file.
(
    SELECT rowNumberInAllBlocks() + 1 AS line, '' AS problem, text
    FROM input('text String')
)
