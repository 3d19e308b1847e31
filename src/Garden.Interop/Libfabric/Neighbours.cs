namespace Garden.Interop.Libfabric;

/// <summary>
/// The endpoints of this process that share memory. A provider reaches a neighbour's queues by pointer: before one is closed, all
/// others take in what it sent and forget it, or they would touch memory that is gone.
/// </summary>
internal static class Neighbours
{
    private static readonly Lock s_lock = new();
    private static LibfabricDomain[] s_domains = [];

    public static void Add(LibfabricDomain domain)
    {
        lock (s_lock)
            Volatile.Write(ref s_domains, [.. s_domains, domain]);
    }

    /// <summary>True when the address is one of this process and no open endpoint has it. Endpoints' names are not used twice.</summary>
    public static bool IsGone(string address) =>
        ProcessWatch.ProcessOf(address) == Environment.ProcessId
        && !Array.Exists(Volatile.Read(ref s_domains), domain => domain.Address == address);

    /// <summary>Takes a domain out. When it returns, no neighbour has it in its address vector.</summary>
    public static void Remove(LibfabricDomain domain)
    {
        lock (s_lock)
        {
            if (Array.IndexOf(s_domains, domain) < 0)
                return;
            // Out of the list first: who looks from here on does not find it, who found it before is told below.
            Volatile.Write(ref s_domains, Array.FindAll(s_domains, other => other != domain));
            foreach (LibfabricDomain other in s_domains)
                other.LetGo(domain);
        }
    }
}
