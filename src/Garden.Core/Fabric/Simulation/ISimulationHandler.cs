namespace Garden.Fabric.Simulation;

/// <summary>What happens at a time.</summary>
public interface ISimulationHandler
{
    /// <summary>Called by the clock at the time that was asked for.</summary>
    /// <param name="argument">What was given with the time.</param>
    void Handle(long argument);
}
