-- The rows of a load that is in the warehouse already.
(
    SELECT line, problem, text
    FROM {raw:Identifier}.lines
    WHERE load_id = {lines_of:String}
)
