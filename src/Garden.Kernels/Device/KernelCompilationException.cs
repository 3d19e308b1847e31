namespace Garden.Kernels;

/// <summary>A kernel could not be compiled or loaded.</summary>
public sealed class KernelCompilationException : GardenException
{
    internal KernelCompilationException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}
