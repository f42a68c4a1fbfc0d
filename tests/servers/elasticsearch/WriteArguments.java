import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.elasticsearch.bootstrap.ServerArgs;
import org.elasticsearch.common.io.stream.OutputStreamStreamOutput;
import org.elasticsearch.common.settings.KeyStoreWrapper;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.node.InternalSettingsPreparer;

/**
 * What the launcher of a distribution writes to the server's stdin: the settings of a configuration folder, in the server's
 * own form. HOME CONFIGURATION OUTPUT. As of a daemon, whose stdin may end.
 */
public final class WriteArguments {
    public static void main(String[] words) throws Exception {
        Path home = Path.of(words[0]);
        Path configuration = Path.of(words[1]);
        Path output = Path.of(words[2]);
        var environment = InternalSettingsPreparer.prepareEnvironment(
            Settings.EMPTY, Map.of("path.home", home.toString()), configuration, () -> "parley-test");
        var arguments = new ServerArgs(
            true, false, configuration.resolve("pid"), KeyStoreWrapper.create(),
            environment.settings(), environment.configDir(), environment.logsDir());
        try (var stream = new OutputStreamStreamOutput(Files.newOutputStream(output))) {
            arguments.writeTo(stream);
        }
    }
}
