namespace Garden.Testing;

/// <summary>What a piece of code allocates on its own thread.</summary>
public static class Allocations
{
    private const int Rounds = 5;

    /// <summary>
    /// The least of five rounds: a collection that another thread begins counts the rest of this thread's allocation quantum as
    /// allocated, and tiering may pay for itself in an early round. Code that allocates does so in every round.
    /// </summary>
    public static long Least(Action round)
    {
        ArgumentNullException.ThrowIfNull(round);
        long least = long.MaxValue;
        for (int i = 0; i < Rounds && least != 0; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            round();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
