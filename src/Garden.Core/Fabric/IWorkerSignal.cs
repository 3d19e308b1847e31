namespace Garden.Fabric;

/// <summary>Wakes the worker that polls a domain, from any thread. Cheap when the worker is awake.</summary>
public interface IWorkerSignal
{
    /// <summary>Makes a parked worker poll again.</summary>
    void Wake();
}
