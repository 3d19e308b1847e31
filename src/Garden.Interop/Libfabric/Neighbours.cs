namespace Garden.Interop.Libfabric;

/// <summary>
/// The endpoints of this process that share memory. A provider reaches a neighbour's queues by pointer: before one is closed, all
/// others take in what it sent and forget it, or they would touch memory that is gone.
/// </summary>
internal static class Neighbours
{
    private static readonly Lock s_lock = new();
    private static readonly List<LibfabricDomain> s_domains = [];

    public static void Add(LibfabricDomain domain)
    {
        lock (s_lock)
            s_domains.Add(domain);
    }

    /// <summary>Takes a domain out. When it returns, no neighbour has it in its address vector.</summary>
    public static void Remove(LibfabricDomain domain)
    {
        lock (s_lock)
        {
            if (!s_domains.Remove(domain))
                return;
            foreach (LibfabricDomain other in s_domains)
                other.LetGo(domain);
        }
    }
}
