using Garden.Interop.Libfabric.Native;

namespace Garden.Interop.Libfabric;

/// <summary>What a provider says of an error besides libfabric's code: on efa it is the only cause there is.</summary>
/// <param name="Code">libfabric's (positive) code that came with it.</param>
/// <param name="Text">The provider's number and text.</param>
internal sealed record ProviderDetail(int Code, string Text)
{
    private const int TextBytes = 256;

    /// <summary>The detail of an error completion; null when the provider has none of its own.</summary>
    public static unsafe ProviderDetail? From(fid_cq* queue, in fi_cq_err_entry error, int code)
    {
        if (error.prov_errno == 0 || Math.Abs(error.prov_errno) == code)
            return null;
        // Safe: the provider writes at most the length it is given, or answers with a text of its own.
        byte* buffer = stackalloc byte[TextBytes];
        buffer[0] = 0;
        return new ProviderDetail(code, $" (its own code {error.prov_errno}: {ProviderAttributes.Text(Calls.fi_cq_strerror(queue, error.prov_errno, error.err_data, buffer, TextBytes))})");
    }

    /// <summary>The text to append for an error of this code, empty for another's.</summary>
    public string Of(int code) => code == Code ? Text : "";
}
