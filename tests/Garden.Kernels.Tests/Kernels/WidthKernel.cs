namespace Garden.Kernels.Tests.Kernels;

/// <summary>Arguments of <see cref="WidthKernel{TAccess}"/>.</summary>
public struct WidthArgs
{
    public ulong Source;

    public ulong Destination;
}

/// <summary>One thread moves one vector of every width.</summary>
public static class WidthKernel<TAccess>
    where TAccess : unmanaged, IAccess
{
    public static void Run(WidthArgs arguments) => TAccess.Store(arguments.Destination, TAccess.Load(arguments.Source));
}
