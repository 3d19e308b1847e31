namespace WeightSync;

/// <summary>The command line cannot be used; the message is for the user, without a stack trace.</summary>
internal sealed class UsageException(string message) : Exception(message);
