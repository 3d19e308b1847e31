namespace Garden.Testing;

/// <summary>The garbage collector, for tests of what must or must not outlive its users.</summary>
public static class Garbage
{
    /// <summary>Collects until what nobody refers to is gone and its finalizers have run.</summary>
    public static void Collect()
    {
        for (int i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }
}
