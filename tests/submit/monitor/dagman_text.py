"""Text of DAGMan's log and node status file, in the form that HTCondor 23.9.6 writes."""

HEAD = "11/25/26 04:05:48 "
PROJECT = "SCHEDD:2:You must set +ProjectName to submit jobs here"
PARSE = "Submit:-1:Parse error in expression: \n\tRequirements = ((HasFoo == true) && (TARGET.Arch)\n\t"


def submitting(node: str) -> str:
    """Return the messages before a try to submit a node's job."""
    return (
        f"{HEAD}Submitting HTCondor Node {node} job(s)...\n"
        f"{HEAD}Submitting node {node} from file pair.sub using direct job submission\n"
    )


def refused(node: str, reason: str, tries: int, limit: int = 6) -> str:
    """Return the messages of a job that the schedd refused `tries` times."""
    text = ""
    for number in range(1, tries + 1):
        last = number == limit
        again = (
            f"failed after {limit} tries."
            if last
            else f"try {number}/{limit} failed, will try again in >= 1 second."
        )
        text += submitting(node) + f"{HEAD}Failed to submit job {node}: {reason}\n"
        text += f"{HEAD}Submit warning: Submit:0:the line 'gpu_memory = 0' was unused by DAGMAN. Is it a typo?\n"
        text += f"{HEAD}Job submit {again}\n"
    return text


def parse_error(node: str) -> str:
    """Return the messages of a job whose requirements do not parse."""
    return (
        f"{submitting(node)}{HEAD}ERROR: on Line 22 of submit file: failed to create job classad\n"
        f"{HEAD}submit error: {PARSE}{HEAD}Job submit failed after 6 tries.\n"
    )


def accepted(node: str) -> str:
    """Return the messages of a job that the schedd accepted."""
    return f"{submitting(node)}{HEAD}\tassigned HTCondor ID (2.0.0)\n"


def node_status(node: str, state: int, details: str) -> str:
    """Return a node's entry in the node status file."""
    return (
        f'[\n  Type = "NodeStatus";\n  Node = "{node}";\n  NodeStatus = {state}; /* "STATUS_ERROR" */\n'
        f'  StatusDetails = "{details}";\n  RetryCount = 0;\n]\n'
    )
