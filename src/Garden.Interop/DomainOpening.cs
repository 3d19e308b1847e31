using Garden.Fabric;

namespace Garden.Interop;

/// <summary>Opens the NICs of a device: all of them or none.</summary>
internal static class DomainOpening
{
    public static IReadOnlyList<IFabricDomain> OpenAll<T>(IEnumerable<T> places, Func<T, IFabricDomain> open)
    {
        var domains = new List<IFabricDomain>();
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
