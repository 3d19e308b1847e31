namespace Garden.Fabric;

/// <summary>What a <see cref="FabricCompletion"/> reports.</summary>
public enum FabricCompletionKind : byte
{
    /// <summary><see cref="FabricCompletion.Count"/> posted writes with one context have ended.</summary>
    Write = 0,

    /// <summary><see cref="FabricCompletion.Count"/> writes of peers, each with the same immediate, have landed here and their payload is visible.</summary>
    Immediate = 1,

    /// <summary>A message arrived; its bytes stay valid until <see cref="IFabricDomain.ReturnMessage"/>.</summary>
    Message = 2,

    /// <summary>A sent message has ended; its bytes were already free when the send returned.</summary>
    MessageSent = 3,

    /// <summary>A route is gone; writes posted on it are reported one by one.</summary>
    RouteFailed = 4,

    /// <summary>The NIC is gone; everything posted on it is reported one by one.</summary>
    DomainFailed = 5,
}
