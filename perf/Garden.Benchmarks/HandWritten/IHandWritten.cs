namespace Garden.Benchmarks.HandWritten;

/// <summary>
/// The loop somebody who knows the one layout would write, its sizes as constants. Like a plan it fills the worker's small batch
/// and goes on where it stopped, so that a ratio compares code for the same task and not two different tasks.
/// </summary>
public interface IHandWritten
{
    /// <summary>The next descriptors; <paramref name="first"/> and <paramref name="second"/> are the positions of the outer and the inner loop.</summary>
    static abstract int Expand(in HandWrittenInput input, ref int first, ref int second, Span<WriteDescriptor> descriptors);
}
