namespace Garden.Core.Tests.Weights;

internal static class NativeBufferAddresses
{
    public static unsafe long Address(this NativeBuffer buffer) => (long)buffer.Pointer;
}
