-- What a reading says of a row beside the columns of its table. A row of another tracker than this one reads is left
-- for the statement that does.
{path:String},
    reason,
    NOT is_left AND (NOT {recognises:UInt8} OR tracker = {own_tracker:String}),
    text,
    problem,
    {keeps_lines:UInt8} AND element_number = 1,
    {read_by:String},
    tracker,
    mapped,
    $notes
