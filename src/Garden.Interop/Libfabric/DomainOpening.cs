using Garden.Fabric;

namespace Garden.Interop.Libfabric;

/// <summary>Opens the NICs of a device: all of them or none.</summary>
internal static class DomainOpening
{
    public static IReadOnlyList<IFabricDomain> OpenAll<T>(IEnumerable<T> places, Func<T, LibfabricDomain> open)
    {
        var domains = new List<LibfabricDomain>();
        try
        {
            foreach (T place in places)
                domains.Add(open(place));
            return domains;
        }
        catch
        {
            domains.ForEach(static domain => domain.Dispose());
            throw;
        }
    }
}
