-- In how many rows of a load there is something at each path.
WITH
    $rows
SELECT [$counts]
FROM parsed
WHERE NOT {recognises:UInt8} OR tracker = {own_tracker:String}
